/* SPDX-License-Identifier: MIT
 *
 * The names of the notes in the data directory: see store_keep_note.
 */
#ifndef RELAY_STORE_STORE_NOTES_H
#define RELAY_STORE_STORE_NOTES_H

#define STORE_NOTE_PRIMARY "origin"
#define STORE_NOTE_REFRESH "refresh"
#define STORE_NOTE_VERSIONS "versions"
#define STORE_NOTE_HOLDS "paused"

#endif
