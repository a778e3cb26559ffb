"""What every test gets: one thread a process, for the processes share the cores, and a word on what runs here."""

import torch

torch.set_num_threads(1)


def pytest_report_header() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {gpu}"
