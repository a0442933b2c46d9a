"""KCL: python run_kcl.py APPS.json OUT, one stream. KCL reads below its module's folder alone."""

import shutil
import sys
from pathlib import Path

from kcl_lib import api

apps, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
module = apps.parent / "apps.k"
if not module.exists():
    shutil.copy(Path(__file__).resolve().parent / "apps.k", module)
asked = api.ExecProgramArgs(
    k_filename_list=[str(module)], args=[api.Argument(name="apps", value=f'"{apps}"')]
)
made = api.API().exec_program(asked)
if made.err_message:
    sys.exit(made.err_message)
(out / "all.yaml").write_text(made.yaml_result or made.log_message, encoding="utf-8")
