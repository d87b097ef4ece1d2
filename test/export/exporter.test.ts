import { describePythonPackage } from '../support/python-package.ts';

describePythonPackage('the exporter', {
  folder: 'deploy/engines/export',
  module: 'darkroom_export',
  probe: 'import tensorrt_rtx, onnx, pytest',
  install:
    'python3 -m venv .venv-export && ' +
    '.venv-export/bin/pip install -r deploy/engines/export/requirements-dev.txt',
  guarantees: {
    'test_autocast.py': 'makes products fp16 for Turing, and draws the same picture to one level',
    'test_checks.py': 'leaves no parameter and nothing that an engine refuses inside any committed graph',
    'test_engines.py': "writes graphs that NVIDIA's compiler takes, and knows what it refuses",
    'test_export.py': 'makes a bundle of a Stable Diffusion folder, or says what stands in the way',
    'test_externalise.py': 'points every parameter at the safetensors file, by name and by value',
    'test_pico.py': 'makes the committed bundles of their own folders, byte for byte',
    'test_tidy.py': 'rewrites what TensorRT cannot read and changes no number',
  },
});
