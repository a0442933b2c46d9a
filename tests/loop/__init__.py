"""The loop closed on real data: what mlopsc generates for examples/flights, run in the real tools.

``make demo`` runs all stages and tells a story; ``tests/test_loop*.py`` run them and judge it.
"""
