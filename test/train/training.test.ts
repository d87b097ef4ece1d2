import { describePythonPackage } from '../support/python-package.ts';

describePythonPackage('the training of pico', {
  folder: 'deploy/models/pico/train',
  module: 'pico_train',
  probe: 'import resvg_py, pytest, pathlib; pathlib.Path("node_modules/@iconify-json/noto").stat()',
  install:
    'python3 -m venv .venv-export && ' +
    '.venv-export/bin/pip install -r deploy/models/pico/train/requirements-dev.txt && ' +
    'npm ci --prefix deploy/models/pico/train',
  guarantees: {
    'test_again.py': 'goes on only with what belongs together, and leaves no half of a model',
    'test_models.py':
      'trains every part, from nothing or from the committed weights, and shares what a variant shares',
    'test_pictures.py': 'draws and names its training pictures as the model card says',
    'test_run.py': 'ends as if it had never been stopped, and loses no checkpoint',
    'test_score.py': 'judges pictures rightly, and says what is missed',
    'test_smoke.py': 'learns in a minute to draw what it is asked for',
    'test_wrong_input.py': 'tells whatever is typed wrong, missing or damaged in one line',
  },
});
