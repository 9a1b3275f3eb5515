# Runs a program, `gate.py PROGRAM [ARGUMENT...]`, when SIGUSR2 comes.
import os
import signal
import sys

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
print("ready", flush=True)
signal.sigwait([signal.SIGUSR2])
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
os.execvp(sys.argv[1], sys.argv[1:])
