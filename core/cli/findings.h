/* findings.h - what was found on a disk, as lines */
#pragma once

#include <json-glib/json-glib.h>

#include "cli/output.h"

/* @findings: SpAuditFinding.  While a takeover goes on: a line for each, with --json an object
 * {"finding":{…}}.  @cli: SpCli. */
void sp_print_findings (GPtrArray *findings, gpointer cli);
/* What is to be said of the disk args[0]: {"ok","findings"}, or a sentence and a table; @good is the end of
 * the sentence where there are none.  Takes @findings. */
void sp_print_verdict (const SpCli *cli, JsonArray *findings, const SpColumn *columns,
                       gsize n_columns, const char *good);
/* The same for an audit. */
void sp_print_audit (const SpCli *cli, GPtrArray *findings);
