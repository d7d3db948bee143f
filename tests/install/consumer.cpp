#include <fusekit/error.h>
#include <fusekit/runtime.h>

#include <iostream>

int main() {
  for (const std::string& engine : fusekit::quantized_engines()) {
    std::cout << engine << '\n';
  }
}
