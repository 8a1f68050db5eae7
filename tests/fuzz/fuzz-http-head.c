/* fuzz-http-head.c - the head of a request, whole and a piece at a time
 *
 * Both ways must agree, and what was read must lie inside the bytes that came.
 */
#include <stddef.h>
#include <stdint.h>

#include "daemon/http-head.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_slice (SpHttpSlice slice, const char *data, gsize length)
{
  g_assert_true (slice.text == NULL ||
                 (slice.text >= data && slice.text + slice.length <= data + length));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const char *text = (const char *) data;
  SpHttpSlice name, value;
  SpHttpHead head;
  gsize at = 0, slow = 0;
  SpHttpScan scan = sp_http_head_scan (text, size, &at, NULL);
  SpHttpScan again = sp_http_head_scan (text, size / 2, &slow, NULL);

  if (again == SP_HTTP_SCAN_MORE)
    again = sp_http_head_scan (text, size, &slow, NULL);
  g_assert_true (scan == again);
  if (scan != SP_HTTP_SCAN_WHOLE || !sp_http_head_parse (text, at, &head, NULL))
    return 0;
  check_slice (head.path, text, at);
  check_slice (head.query, text, at);
  check_slice (head.host, text, at);
  check_slice (head.authorization, text, at);
  check_slice (head.content_type, text, at);
  check_slice (head.idempotency_key, text, at);
  g_assert_true (head.content_length <= SP_HTTP_MAX_BODY);
  while (sp_http_query_next (&head.query, &name, &value))
    check_slice (value, text, at);
  return 0;
}
