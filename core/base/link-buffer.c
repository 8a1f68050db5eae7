/* link-buffer.c - link-buffer.h */
#include "base/link-buffer.h"

#include <string.h>

#include "base/secret.h"

void
sp_link_buffer_room (SpLinkBuffer *buffer, gsize wanted)
{
  gsize size = MAX (buffer->size * 2, buffer->length + 2 * wanted);
  guint8 *bigger;

  if (buffer->size - buffer->length >= wanted)
    return;
  /* Not realloc(): it may leave a copy behind that nobody wipes. */
  bigger = g_malloc (size);
  if (buffer->length > 0)
    memcpy (bigger, buffer->data, buffer->length);
  if (buffer->data != NULL)
    sp_wipe (buffer->data, buffer->size);
  g_free (buffer->data);
  buffer->data = bigger;
  buffer->size = size;
}

void
sp_link_buffer_consume (SpLinkBuffer *buffer, gsize n)
{
  memmove (buffer->data, buffer->data + n, buffer->length - n);
  sp_wipe (buffer->data + buffer->length - n, n);
  buffer->length -= n;
}

void
sp_link_buffer_clear (SpLinkBuffer *buffer)
{
  if (buffer->data != NULL)
    sp_wipe (buffer->data, buffer->size);
  g_clear_pointer (&buffer->data, g_free);
  buffer->length = buffer->size = 0;
}
