"""The door to the teacher, a language model that writes what examples lack: a server, an inference provider, or local.

What it replies is untrusted text. What goes wrong is raised as `HubExpertError` with a fix, never with a key.
"""

from hubexpert.teacher.ask import Teacher, ask

__all__ = ["Teacher", "ask"]
