/* SPDX-License-Identifier: MIT
 *
 * The folder in the data directory that belongs to the archive (relay/archive/shipment.h). The store leaves it alone.
 */
#ifndef RELAY_STORE_ARCHIVE_FOLDER_H
#define RELAY_STORE_ARCHIVE_FOLDER_H

#define STORE_ARCHIVE_FOLDER "archive"

#endif
