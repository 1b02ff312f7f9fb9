#pragma once
#include <spawn.h>

// Of glibc, whose headers hide them from Swift (they ask for _GNU_SOURCE).
int pipe2(int ends[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
