"""The tests of inside/ need the packages of .tools/core; test_credit.py runs them there."""

collect_ignore = ["inside"]
