#include "cli/command.h"
#include "cli/leave.h"

int main(int argc, char** argv) { fusekit::cli::leave(fusekit::cli::run(argc, argv)); }
