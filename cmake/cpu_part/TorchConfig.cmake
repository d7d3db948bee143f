# LibTorch's CPU part out of a wheel with CUDA: the wheel's own file asks for a CUDA toolkit. scripts/build_arm64.sh puts
# this in its place, share/cmake/Torch/TorchConfig.cmake.
get_filename_component(TORCH_INSTALL_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(TORCH_INCLUDE_DIRS ${TORCH_INSTALL_PREFIX}/include ${TORCH_INSTALL_PREFIX}/include/torch/csrc/api/include)
foreach(library c10 torch_cpu)
  add_library(${library} SHARED IMPORTED)
  set_target_properties(${library} PROPERTIES IMPORTED_LOCATION ${TORCH_INSTALL_PREFIX}/lib/lib${library}.so
                                              IMPORTED_SONAME lib${library}.so)
endforeach()
add_library(torch INTERFACE IMPORTED)
target_include_directories(torch INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(torch INTERFACE torch_cpu c10)
# What libtorch_cpu.so needs lies beside it.
target_link_options(torch INTERFACE -Wl,-rpath-link,${TORCH_INSTALL_PREFIX}/lib)
set(TORCH_LIBRARIES torch c10)
set(TORCH_FOUND TRUE)
