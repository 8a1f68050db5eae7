/* table.c - the order of the points, and the rules */
#include "plugin/check/case.h"

static const SpCheckGroup *const order[] = {
  &sp_check_file_group,     &sp_check_description_group, &sp_check_life_group,
  &sp_check_contract_group, &sp_check_render_group,      &sp_check_notify_group,
  &sp_check_store_group,    &sp_check_durable_group,     &sp_check_vm_group,
};

const SpCheckGroup *
sp_check_group (gsize i)
{
  return i < G_N_ELEMENTS (order) ? order[i] : NULL;
}

const SpCheckRuleRow sp_check_rules[SP_N_RULES] = {
  [SP_RULE_SURVIVES] = { "contract/survives", "no call ends the process",
                         "find the crash: run it under gdb or valgrind; never call exit() or "
                         "abort()",
                         0, TRUE },
  [SP_RULE_DEADLINE] = { "contract/deadline", "each call ends soon after its deadline",
                         "pass the cancellable on to whatever blocks, or look at it in each round "
                         "of "
                         "a loop",
                         0, TRUE },
  [SP_RULE_ERROR] = { "contract/error", "a call fails if and only if it sets an error",
                      "set the error on each path that returns FALSE or NULL, and on no other", 0,
                      TRUE },
  [SP_RULE_SENTENCE] = { "contract/sentence", "errors are SP_ERROR, and one sentence",
                         "use g_set_error (error, SP_ERROR, …): lower case, no full stop, no line "
                         "break, no plugin name",
                         0, FALSE },
  [SP_RULE_STDOUT] = { "hygiene/stdout", "stdin and stdout are left alone",
                       "write messages for developers with g_debug() or to stderr", 0, FALSE },
  [SP_RULE_UMASK] = { "hygiene/umask", "the umask is left alone",
                      "give the mode to open() or mkdir() instead of changing the umask", 0,
                      FALSE },
  [SP_RULE_FOLDER] = { "hygiene/working-directory", "the working directory is left alone",
                       "use absolute paths, or openat()", 0, FALSE },
  [SP_RULE_ENVIRONMENT] = { "hygiene/environment", "the environment is left alone",
                            "give an environment to the process that needs one, as with "
                            "g_subprocess_launcher_setenv()",
                            0, FALSE },
  [SP_RULE_SIGNALS] = { "hygiene/signals", "signals are left alone",
                        "use no signal handlers; for a child's end there is g_child_watch_add()", 0,
                        FALSE },
  [SP_RULE_LOCALE] = { "hygiene/locale", "the locale is left alone",
                       "use g_ascii_…() functions, or newlocale() with uselocale() around one call",
                       0, FALSE },
  [SP_RULE_THREADS] = { "hygiene/threads", "no thread outlives stop()",
                        "have stop() tell each thread to end, and join it", 0, FALSE },
  [SP_RULE_CHILDREN] = { "hygiene/children", "no process outlives stop()",
                         "have stop() end what was started, and wait for it", 0, FALSE },
  [SP_RULE_DESCRIPTORS] = { "hygiene/close-on-exec", "what it opens is closed on exec",
                            "open files with O_CLOEXEC, sockets with SOCK_CLOEXEC", 0, FALSE },
  [SP_RULE_KNOWN_NOTICE] = { "notify/answers-known-notice",
                             "it answers notices that it was given, with a choice of theirs",
                             "keep the notice's id with what was shown, and answer with just that; "
                             "drop all else that the service sends",
                             SP_KIND_NOTIFIER, FALSE },
  [SP_RULE_LISTED_PERSON] = { "notify/answers-listed-person",
                              "it answers for people that are listed",
                              "compare the id that the service gives with those of people(), and "
                              "drop what others send",
                              SP_KIND_NOTIFIER, FALSE },
};
