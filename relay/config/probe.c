/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why nothing can be made beside `path`; 0: it can. */
static int probe_parent(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    char *parent = length == 0 ? strdup(".") : strndup(path, length);
    CHECK(parent != NULL);
    int error = access(parent, W_OK | X_OK) == -1 ? errno : 0;
    free(parent);
    return error;
}

bool probe_path(const char *path, bool is_directory, char problem[PROBE_PROBLEM_MAX])
{
    struct stat status;
    const char *what;
    int error;
    if (stat(path, &status) == 0) {
        bool is_right = S_ISDIR(status.st_mode) == is_directory;
        if (is_right && access(path, is_directory ? R_OK | W_OK | X_OK : W_OK) == 0)
            return true;
        error = is_right ? errno : is_directory ? ENOTDIR : EISDIR;
        what = "it cannot be written";
    } else {
        error = errno == ENOENT ? probe_parent(path) : errno;
        if (error == 0)
            return true;
        what = "it is not there and cannot be made";
    }
    snprintf(problem, PROBE_PROBLEM_MAX, "%s: %s", what, strerror(error));
    return false;
}
