"""The Jupyter kernel: the prompt of ksrshell in notebooks. Needs ipykernel: ``pip install 'ksrshell[kernel]'``."""
