/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
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

bool probe_path(const char *path, bool is_directory, struct error *error)
{
    struct stat status;
    if (stat(path, &status) == -1) {
        int number = errno == ENOENT ? probe_making(path, is_directory) : errno;
        return number == 0 ||
               error_set_system(error, number, "does not exist and cannot be created");
    }
    if (S_ISDIR(status.st_mode) != is_directory)
        return error_set_system(error, is_directory ? ENOTDIR : EISDIR, "cannot be written");
    return access(path, is_directory ? R_OK | W_OK | X_OK : W_OK) == 0 ||
           error_set_system(error, errno, "cannot be written");
}
