/* image-cloud.h - cloud images, for the verbs that know both kinds */
#pragma once

#include "cli/cli.h"
#include "host/cloud/cloud-image.h"

void sp_cli_print_cloud (const SpCli *cli, const SpCloudImage *image);
/* `image build --cloud`. */
int sp_cli_image_build_cloud (SpCli *cli, GError **error);
