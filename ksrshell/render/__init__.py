"""What the shell's values look like: one kind of picture a file, all of them rich renderables."""
