/* SPDX-License-Identifier: MIT
 *
 * Stands in for store/page_cache and downstream/readahead: the test says whether the page cache has
 * anything, and does what the reader threads would.
 *
 *     fake_page_cache_set_cold(true);
 *     ...                                      the thing under test submits a job
 *     assert_int_equal(fake_readahead_count(), 1);
 *     fake_readahead_do(NULL, 0, on_job);      the oldest comes home, read
 */
#ifndef TESTS_SUPPORT_FAKE_READAHEAD_H
#define TESTS_SUPPORT_FAKE_READAHEAD_H

#include "../../relay/downstream/readahead.h"

#include <stdbool.h>
#include <stddef.h>

/* Nothing is in the page cache but what a job has read; all is, at first. */
void fake_page_cache_set_cold(bool is_cold);

/* How often it was asked. */
unsigned fake_page_cache_asked(void);

size_t fake_readahead_count(void);
const struct readahead_job *fake_readahead_oldest(void); /* NULL: none */

/* No descriptor is left for the next one. */
void fake_readahead_refuse_next(void);

/* The oldest job comes home to `home`, with that error. */
void fake_readahead_do(int number, void (*home)(struct readahead_job *job));

/* At the end of each test: nothing may be under way. */
void fake_readahead_reset(void);

#endif
