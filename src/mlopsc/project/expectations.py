"""The expectations Great Expectations knows, with the arguments each takes.

Made from the JSON schemas of great_expectations 1.24.1 by tests/development/expectation_table.py; a test
compares it with the installed package. Not imported at compile: the package takes seconds to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlopsc.project.model import Source

EXPECTATIONS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "expect_column_distinct_values_to_be_in_set": (
        (
            "column",
            "value_set",
        ),
        (
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_distinct_values_to_contain_set": (
        (
            "column",
            "value_set",
        ),
        (
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_distinct_values_to_equal_set": (
        (
            "column",
            "value_set",
        ),
        (
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_k_l_divergence_to_be_less_than": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "partition_object",
            "threshold",
            "internal_weight_holdout",
            "tail_weight_holdout",
            "bucketize_data",
            "min_value",
            "max_value",
        ),
    ),
    "expect_column_max_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_mean_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_median_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_min_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_most_common_value_to_be_in_set": (
        (
            "column",
            "value_set",
        ),
        (
            "row_condition",
            "condition_parser",
            "ties_okay",
        ),
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": (
        (
            "column_A",
            "column_B",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "or_equal",
            "ignore_row_if",
        ),
    ),
    "expect_column_pair_values_to_be_equal": (
        (
            "column_A",
            "column_B",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "ignore_row_if",
        ),
    ),
    "expect_column_pair_values_to_be_in_set": (
        (
            "column_A",
            "column_B",
            "value_pairs_set",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "ignore_row_if",
        ),
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_proportion_of_unique_values_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_quantile_values_to_be_between": (
        (
            "column",
            "quantile_ranges",
        ),
        (
            "row_condition",
            "condition_parser",
            "allow_relative_error",
        ),
    ),
    "expect_column_stdev_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_sum_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_to_exist": (
        ("column",),
        ("column_index",),
    ),
    "expect_column_type_to_be": (
        (
            "column",
            "type_",
        ),
        (),
    ),
    "expect_column_unique_value_count_to_be_between": (
        ("column",),
        (
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_value_lengths_to_be_between": (
        ("column",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_value_lengths_to_equal": (
        (
            "column",
            "value",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_value_z_scores_to_be_less_than": (
        (
            "column",
            "threshold",
            "double_sided",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_be_between": (
        ("column",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
        ),
    ),
    "expect_column_values_to_be_in_set": (
        (
            "column",
            "value_set",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_be_in_type_list": (
        ("column",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "type_list",
        ),
    ),
    "expect_column_values_to_be_null": (
        ("column",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_be_of_type": (
        (
            "column",
            "type_",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_be_unique": (
        ("column",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_match_like_pattern": (
        (
            "column",
            "like_pattern",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "escape",
        ),
    ),
    "expect_column_values_to_match_like_pattern_list": (
        (
            "column",
            "like_pattern_list",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "match_on",
            "escape",
        ),
    ),
    "expect_column_values_to_match_regex": (
        ("column",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "regex",
        ),
    ),
    "expect_column_values_to_match_regex_list": (
        (
            "column",
            "regex_list",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "match_on",
        ),
    ),
    "expect_column_values_to_match_strftime_format": (
        (
            "column",
            "strftime_format",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_not_be_in_set": (
        (
            "column",
            "value_set",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_not_be_null": (
        ("column",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_not_be_outliers": (
        ("column",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "method",
            "multiplier",
        ),
    ),
    "expect_column_values_to_not_match_like_pattern": (
        (
            "column",
            "like_pattern",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "escape",
        ),
    ),
    "expect_column_values_to_not_match_like_pattern_list": (
        (
            "column",
            "like_pattern_list",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "escape",
        ),
    ),
    "expect_column_values_to_not_match_regex": (
        (
            "column",
            "regex",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_column_values_to_not_match_regex_list": (
        (
            "column",
            "regex_list",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_compound_columns_to_be_unique": (
        ("column_list",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "ignore_row_if",
        ),
    ),
    "expect_multicolumn_sum_to_equal": (
        (
            "column_list",
            "sum_total",
        ),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "ignore_row_if",
        ),
    ),
    "expect_multicolumn_values_to_be_equal": (
        ("column_list",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "ignore_row_if",
        ),
    ),
    "expect_query_results_to_match_comparison": (
        (
            "base_query",
            "comparison_data_source_name",
            "comparison_query",
        ),
        ("mostly",),
    ),
    "expect_select_column_values_to_be_unique_within_record": (
        ("column_list",),
        (
            "mostly",
            "row_condition",
            "condition_parser",
            "ignore_row_if",
        ),
    ),
    "expect_table_column_count_to_be_between": (
        (),
        (
            "min_value",
            "max_value",
        ),
    ),
    "expect_table_column_count_to_equal": (
        ("value",),
        (),
    ),
    "expect_table_columns_to_match_ordered_list": (
        (),
        ("column_list",),
    ),
    "expect_table_columns_to_match_set": (
        (),
        (
            "column_set",
            "exact_match",
        ),
    ),
    "expect_table_row_count_to_be_between": (
        (),
        (
            "min_value",
            "max_value",
            "strict_min",
            "strict_max",
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_table_row_count_to_equal": (
        ("value",),
        (
            "row_condition",
            "condition_parser",
        ),
    ),
    "expect_table_row_count_to_equal_other_table": (
        ("other_table_name",),
        (
            "row_condition",
            "condition_parser",
        ),
    ),
    "unexpected_rows_expectation": (
        ("unexpected_rows_query",),
        (),
    ),
}
"""Expectation → (arguments it needs, arguments it may have)."""

FRESHNESS_PARAMETER: Final = "freshness_after"
"""The run-time parameter that says how old the newest row may be; the validate program sets it."""


def checkpoint_name(source: str, environment: str) -> str:
    """The checkpoint of a source in an environment."""
    return f"{source}_{environment}"


def validated(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """The sources that have a checkpoint: tables that are not written by a model of ours.

    Great Expectations reads Spark only as data frames that somebody hands to it, so a Spark table has
    none.
    """
    return tuple(
        source
        for source in sources
        if source.kind not in (None, "spark")
        and source.written_by is None
        and (source.columns or source.rows or source.expectations)
    )
