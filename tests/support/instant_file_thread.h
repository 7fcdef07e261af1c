/* SPDX-License-Identifier: MIT
 *
 * Stands in for the store's file thread where a test wants each step at its place: jobs are done when they
 * are submitted, by the caller. To be included is all that it takes.
 */
#ifndef TESTS_SUPPORT_INSTANT_FILE_THREAD_H
#define TESTS_SUPPORT_INSTANT_FILE_THREAD_H

#include "../../relay/store/file_thread.h"

#endif
