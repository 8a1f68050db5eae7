/* info-private.h - the serialised description of a plugin, between parent and child */
#pragma once

#include "plugin/info.h"

/* path, kind, name, version, summary, ABI, ABI of the kind, calls, options */
#define SP_PLUGIN_INFO_TYPE "(sssssuuasa(suumsmsxxs))"
/* what is wrong (empty: nothing), and the description where nothing is */
#define SP_PLUGIN_REPORT_TYPE "(sm" SP_PLUGIN_INFO_TYPE ")"
