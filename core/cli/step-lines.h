/* step-lines.h - a line for each step of a long undertaking: for people, or one JSON object a line */
#pragma once

#include "cli/cli.h"
#include "host/steps.h"

/* For SpTakeoverOptions and SpProvisionOptions; @cli is their data. */
void sp_print_step (const SpStepReport *report, guint n_steps, gpointer cli);
