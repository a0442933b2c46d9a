"""The proof of `why` and `affects`: every leaf of a spec is changed, and each line that follows is attributed.

Nobody writes down what a line depends on: the compiler is asked. A leaf (a scalar of the spec) gets other
valid values, one at a time. What is different in the files afterwards is what the leaf decides, and
`affects` has to say the same.

    PYTHONPATH=tests python -m attribution examples/churn [--target kubernetes] [--leaf models.churn.serving]

*Recall*: of the lines that moved (gone or other in the old files, come or other in the new), the share that is
attributed to the leaf; it has to be all of them. *Precision*: of the lines attributed to the leaf in the files as they
are, the share that any of its values moves.

What a cause claims, and so how to mend a trace:

- A path claims what it names: a scalar its value, a list all of its items, a mapping that it is there and nothing of
  the values below it. A line made from `bound.minimum` is caused by `bound.at("min")`, and not by `bound.origin`.
- What follows from a value that is a name (the columns of a table that is named) has paths below that value, and is
  claimed by it.
- Every cause around a line claims it, since what makes the block decides that the line is there. So a block is wrapped in
  the mapping it is there for, and only its own line in the scalar.
- A file has `because`: what else it is there for, such as `("platform", "orchestration")`.
- A value that is part of many lines' text is found by `mentions`: `('project="churn"', ("project",))`.
- A default that follows from another key (an owner from the project's) is caused by both.
"""
