/* link-buffer.h - bytes that came in and are not a whole message yet; wiped when they go */
#pragma once

#include <gio/gio.h>

typedef struct {
  guint8 *data;
  gsize length, size;
} SpLinkBuffer;

/* Room for at least @wanted bytes more behind data + length. */
void sp_link_buffer_room (SpLinkBuffer *buffer, gsize wanted);
/* The first @n bytes are done with. */
void sp_link_buffer_consume (SpLinkBuffer *buffer, gsize n);
void sp_link_buffer_clear (SpLinkBuffer *buffer);
