#include <fusekit/fuse.h>
#include <fusekit/write.h>

#include <iostream>

int main(int, char** arguments) {
  fusekit::Program program = fusekit::read(arguments[1]);
  const fusekit::FusionReport fusion = fusekit::fuse(program);
  fusekit::write(std::move(program), arguments[2]);
  std::cout << "fused " << fusion.fused() << '\n';
}
