/* test-live.c - which differences of a running domain are found, and how they are shown */
#include "live.h"

#define DOMAIN(inside) "<domain type='qemu'>\n  <devices>" inside "</devices>\n</domain>"
#define CHANNEL(state) \
  "<channel type='unix'><target type='virtio' name='x' state='" state "'/></channel>"

static void
assert_difference (const char *then, const char *now, const char *expected)
{
  g_autofree char *a = sp_libvirt_live_form (then);
  g_autofree char *b = sp_libvirt_live_form (now);
  g_autofree char *found = sp_libvirt_live_difference (a, b);

  g_assert_cmpstr (found, ==, expected);
}

static void
test_what_changes_by_itself_is_none (void)
{
  assert_difference (DOMAIN (CHANNEL ("disconnected")), DOMAIN (CHANNEL ("connected")), NULL);
  assert_difference (DOMAIN ("<a/>"), DOMAIN ("\n    <a/>\n  "), NULL);
}

static void
test_what_came_or_went_is_shown (void)
{
  assert_difference (DOMAIN ("<a/>"), DOMAIN ("<a/><disk type='file'/>"),
                     "it has now '<disk type=\"file\"/>'");
  assert_difference (DOMAIN ("<a/><b/>"), DOMAIN ("<a/>"), "it has no longer '<b/>'");
  assert_difference (DOMAIN ("<a x='1'/>"), DOMAIN ("<a x='2'/>"), "it has now '<a x=\"2\"/>'");
  assert_difference (DOMAIN ("<disk/><a/>"), DOMAIN ("<a/>"), "it has no longer '<disk/>'");
  assert_difference (DOMAIN ("<a/><b/>"), DOMAIN ("<b/><a/>"),
                     "its parts are in another order, or another number");
}

static void
test_it_is_short_and_printable (void)
{
  g_autofree char *many = g_strnfill (1000, 'x');
  g_autofree char *xml = g_strdup_printf ("<domain><title>&#9;%s</title></domain>", many);
  g_autofree char *a = sp_libvirt_live_form ("<domain/>");
  g_autofree char *b = sp_libvirt_live_form (xml);
  g_autofree char *found = sp_libvirt_live_difference (a, b);

  g_assert_cmpuint (g_utf8_strlen (found, -1), <=, 120);
  for (const char *p = found; *p != '\0'; p++)
    g_assert_false (g_ascii_iscntrl (*p));
}

static void
test_what_is_no_xml (void)
{
  g_assert_null (sp_libvirt_live_form ("<domain>"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vm-libvirt/live/what-changes-by-itself-is-none",
                   test_what_changes_by_itself_is_none);
  g_test_add_func ("/vm-libvirt/live/what-came-or-went-is-shown", test_what_came_or_went_is_shown);
  g_test_add_func ("/vm-libvirt/live/it-is-short-and-printable", test_it_is_short_and_printable);
  g_test_add_func ("/vm-libvirt/live/what-is-no-xml", test_what_is_no_xml);
  return g_test_run ();
}
