/* fuzz-monitor.c - what a monitor may send, in both dialects
 *
 * What is good has all its parts; what a human monitor answers to a command is found only behind its
 * echo; more bytes never make good what was bad.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "host/monitor/private.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_qmp (const char *text, gsize length)
{
  g_auto (SpQmpMessage) message = { 0 };

  sp_qmp_read (text, length, &message);
  g_assert_true ((message.kind == SP_QMP_BAD) == (message.wrong != NULL));
  g_assert_true (message.kind != SP_QMP_ERROR || message.text != NULL);
  if (message.text != NULL)
    (void) sp_monitor_is_success (SP_MONITOR_RELEASE, "127.0.0.1:3737", message.text);
}

static void
check_human (const char *text, gsize length)
{
  g_autofree char *whole = NULL;
  g_autofree char *half = NULL;
  SpHumanScan early = sp_human_read (text, length / 2, "stop", &half);
  SpHumanScan late = sp_human_read (text, length, "stop", &whole);

  g_assert_true ((late == SP_HUMAN_WHOLE) == (whole != NULL));
  g_assert_true (early != SP_HUMAN_BAD || late != SP_HUMAN_WHOLE);
  if (whole != NULL)
    g_assert_cmpuint (strlen (whole), <, length);
  if (sp_human_read_greeting (text, length / 2) == SP_HUMAN_BAD)
    g_assert_true (sp_human_read_greeting (text, length) == SP_HUMAN_BAD);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  check_qmp ((const char *) data, size);
  check_human ((const char *) data, size);
  return 0;
}
