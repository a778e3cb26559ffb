"""What every test gets: one thread a process, for the processes share the cores, and a word on what runs here."""

import signal

import torch

torch.set_num_threads(1)

# A shell that runs something in the background has it ignore interrupts, and so all that it starts; the programs that
# the tests interrupt must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {gpu}"
