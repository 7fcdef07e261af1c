/* SPDX-License-Identifier: MIT
 *
 * What a call that moves bytes answers.
 */
#ifndef RELAY_NET_CONN_IO_H
#define RELAY_NET_CONN_IO_H

enum conn_io {
    CONN_OK,     /* some bytes went */
    CONN_AGAIN,  /* none now; an event will tell */
    CONN_END,    /* the peer sends no more (receive only); no READABLE comes after it */
    CONN_FAILED, /* the connection is broken; conn_error says why; DOWN follows if it stays */
    CONN_UNREADABLE, /* what should be sent cannot be read (send and send_file only): the disk fails, or the file
                      * is shorter. The connection is as it was */
};

#endif
