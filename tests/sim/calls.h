/* SPDX-License-Identifier: MIT
 *
 * The calls of the system and of libevent that the relay's objects make, and that the simulation answers. The
 * build reads this table (calls.sh): in the relay's objects each symbol in the second column is renamed to
 * sim_<symbol>. A call that is neither here nor in harmless.txt ends the build, so that no new one escapes
 * the simulation in silence.
 *
 * The first column is what C calls it: the declaration has the type of the real one.
 */
#ifndef TESTS_SIM_CALLS_H
#define TESTS_SIM_CALLS_H

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define CALL(name, symbol) __typeof__(name) sim_##symbol

/* disk_calls.c */
CALL(open, open64);
CALL(openat, openat64);
int sim___openat64_2(int directory, const char *path, int flags);
CALL(mkdir, mkdir);
CALL(mkdirat, mkdirat);
CALL(unlink, unlink);
CALL(unlinkat, unlinkat);
CALL(rmdir, rmdir);
CALL(linkat, linkat);
CALL(renameat, renameat);
CALL(stat, stat64);
CALL(fstat, fstat64);
CALL(fstatat, fstatat64);
CALL(fstatvfs, fstatvfs64);
CALL(access, access);
CALL(faccessat, faccessat);
CALL(fchmod, fchmod);
CALL(fchown, fchown);
CALL(flock, flock);
CALL(opendir, opendir);
CALL(fdopendir, fdopendir);
CALL(readdir, readdir64);
CALL(closedir, closedir);
CALL(fsync, fsync);
CALL(fdatasync, fdatasync);
CALL(realpath, realpath);
CALL(readlink, readlink);
CALL(fopen, fopen64);

/* data_calls.c */
CALL(read, read);
CALL(pread, pread64);
CALL(preadv2, preadv64v2);
CALL(write, write);
CALL(pwrite, pwrite64);
CALL(ftruncate, ftruncate64);
CALL(posix_fallocate, posix_fallocate64);
CALL(posix_fadvise, posix_fadvise64);
CALL(mmap, mmap64);
CALL(munmap, munmap);
CALL(mincore, mincore);
CALL(sendfile, sendfile64);
CALL(close, close);
CALL(dup3, dup3);
CALL(fcntl, fcntl64);
CALL(eventfd, eventfd);

/* socket_calls.c */
CALL(socket, socket);
CALL(bind, bind);
CALL(listen, listen);
CALL(accept4, accept4);
CALL(connect, connect);
CALL(recv, recv);
CALL(send, send);
CALL(sendto, sendto);
CALL(shutdown, shutdown);
CALL(getsockopt, getsockopt);
CALL(setsockopt, setsockopt);
CALL(getsockname, getsockname);
CALL(getpeername, getpeername);
CALL(getaddrinfo, getaddrinfo);
CALL(freeaddrinfo, freeaddrinfo);

/* thread_calls.c */
CALL(pthread_create, pthread_create);
CALL(pthread_detach, pthread_detach);
CALL(pthread_join, pthread_join);
CALL(pthread_once, pthread_once);
CALL(pthread_sigmask, pthread_sigmask);
CALL(pthread_mutex_init, pthread_mutex_init);
CALL(pthread_mutex_destroy, pthread_mutex_destroy);
CALL(pthread_mutex_lock, pthread_mutex_lock);
CALL(pthread_mutex_unlock, pthread_mutex_unlock);
CALL(pthread_cond_init, pthread_cond_init);
CALL(pthread_cond_destroy, pthread_cond_destroy);
CALL(pthread_cond_wait, pthread_cond_wait);
CALL(pthread_cond_timedwait, pthread_cond_timedwait);
CALL(pthread_cond_signal, pthread_cond_signal);
CALL(pthread_cond_broadcast, pthread_cond_broadcast);
CALL(pthread_condattr_init, pthread_condattr_init);
CALL(pthread_condattr_destroy, pthread_condattr_destroy);
CALL(pthread_condattr_setclock, pthread_condattr_setclock);

/* process_calls.c */
CALL(clock_gettime, clock_gettime);
CALL(nanosleep, nanosleep);
CALL(getrandom, getrandom);
CALL(getpid, getpid);
CALL(getenv, getenv);
CALL(geteuid, geteuid);
CALL(getresuid, getresuid);
CALL(getresgid, getresgid);
CALL(getpwnam, getpwnam);
CALL(getgrnam, getgrnam);
CALL(initgroups, initgroups);
CALL(setuid, setuid);
CALL(seteuid, seteuid);
CALL(setegid, setegid);
CALL(setresuid, setresuid);
CALL(setresgid, setresgid);
CALL(setpriority, setpriority);
CALL(getrlimit, getrlimit64);
CALL(setrlimit, setrlimit64);
CALL(getrusage, getrusage);
CALL(sysconf, sysconf);
CALL(prctl, prctl);
CALL(umask, umask);
CALL(uname, uname);
CALL(signal, signal);
CALL(syscall, syscall);
CALL(mallinfo2, mallinfo2);
CALL(malloc_info, malloc_info);
CALL(malloc_trim, malloc_trim);
int sim___dprintf_chk(int fd, int flag, const char *format, ...);

/* event_loop.c */
CALL(event_config_new, event_config_new);
CALL(event_config_free, event_config_free);
CALL(event_config_set_flag, event_config_set_flag);
CALL(event_set_fatal_callback, event_set_fatal_callback);
CALL(event_set_log_callback, event_set_log_callback);
CALL(event_base_new_with_config, event_base_new_with_config);
CALL(event_base_free, event_base_free);
CALL(event_base_loop, event_base_loop);
CALL(event_new, event_new);
CALL(event_add, event_add);
CALL(event_del, event_del);
CALL(event_free, event_free);

#endif
