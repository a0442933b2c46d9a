"""mlopsc: one `mlops.yaml`, compiled into the files that run a machine-learning system."""

__version__ = "0.1.0"
