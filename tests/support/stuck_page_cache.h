/* SPDX-License-Identifier: MIT
 *
 * Stands in for store/page_cache: what was never read by page_cache_fill is not in it, and the disk
 * answers no page_cache_fill while the test holds it. Any thread.
 */
#ifndef TESTS_SUPPORT_STUCK_PAGE_CACHE_H
#define TESTS_SUPPORT_STUCK_PAGE_CACHE_H

void stuck_disk_hold(void);
void stuck_disk_release(void);

/* Waits until so many wait for the disk. */
void stuck_disk_await(unsigned waiting);

/* So many pieces were read. */
unsigned stuck_disk_reads(void);

#endif
