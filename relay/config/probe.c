/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why it cannot be made; 0: it can. Tried, since rights alone do not tell (/proc, a full disk, a read-only one);
 * what was made goes at once. */
static int probe_making(const char *path, bool is_directory)
{
    int made = is_directory ? mkdir(path, 0700)
                            : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    if (made == -1)
        return errno;
    if (is_directory) {
        rmdir(path);
    } else {
        unlink(path);
        close(made);
    }
    return 0;
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
        what = "cannot be written";
    } else {
        error = errno == ENOENT ? probe_making(path, is_directory) : errno;
        if (error == 0)
            return true;
        what = "does not exist and cannot be created";
    }
    snprintf(problem, PROBE_PROBLEM_MAX, "%s: %s", what, strerror(error));
    return false;
}
