#include "cli/command.h"

int main(int argc, char** argv) { return fusekit::cli::run(argc, argv); }
