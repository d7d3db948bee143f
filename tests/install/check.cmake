# Installs the build in BUILD into an empty folder WORK/prefix, then configures, builds and runs the project beside this
# file against it. The installed program makes and verifies the file that the project fuses.
#   cmake -D BUILD=... -D WORK=... [-D FLAGS=...] -P check.cmake
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${result}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
unset(ENV{LD_LIBRARY_PATH})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${WORK}/prefix/bin/fusekit --version)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -G Ninja -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_PREFIX_PATH=${WORK}/prefix -D "CMAKE_CXX_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/prefix/bin/fusekit example -o ${WORK})
run(${WORK}/build/consumer ${WORK}/model_float.pt ${WORK}/fused.pt)
if(NOT output MATCHES "fused 1\n")
  message(FATAL_ERROR "the consumer printed:\n${output}")
endif()
run(${WORK}/prefix/bin/fusekit verify ${WORK}/model_float.pt ${WORK}/fused.pt --input-dims 1,3,32,32)
file(REMOVE_RECURSE ${WORK})
