/* fuzz-json.c - what the scanner lets through, the parser takes; a secret leaves a text that is good */
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_memdup2 (data, size);
  gboolean good = sp_json_check (text, size, NULL);
  g_autoptr (JsonNode) node = sp_json_parse (text, size, 0, NULL);
  g_autoptr (JsonNode) repaired = sp_json_parse (text, size, SP_JSON_REPAIR_UTF8, NULL);
  g_autoptr (SpSecret) secret = NULL;

  g_assert_true (good == (node != NULL));
  g_assert_true (!good || repaired != NULL);
  if (!good)
    return 0;
  (void) sp_json_take_secret (text, size, "secret_base64", &secret, NULL);
  g_assert_true (sp_json_check (text, size, NULL));
  return 0;
}
