/* SPDX-License-Identifier: MIT
 *
 * TCP itself: the layer at the bottom.
 */
#ifndef RELAY_NET_TRANSPORT_SOCKET_H
#define RELAY_NET_TRANSPORT_SOCKET_H

#include "transport.h"

extern const struct transport transport_socket;

#endif
