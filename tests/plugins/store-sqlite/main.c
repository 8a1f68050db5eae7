/* main.c - the unit tests of store-sqlite, one group a file */
#include "sql.h"

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add_rows_tests ();
  add_life_tests ();
  add_files_tests ();
  add_failures_tests ();
  add_crash_tests ();
  return g_test_run ();
}
