# The compiler's settings for every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # the time is spent in LibTorch's kernels; -O3 only costs build time

# ccache reuses objects across clean builds; the two exceptions let it cache files that use a precompiled header.
find_program(FUSEKIT_CCACHE ccache)
if(FUSEKIT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${FUSEKIT_CCACHE})
endif()

add_library(fusekit_warnings INTERFACE)
target_compile_options(
  fusekit_warnings INTERFACE -Wall -Wextra -Wpedantic $<$<BOOL:${FUSEKIT_WERROR}>:-Werror>
                             # GCC 12 warns of std::string's own code (GCC bugs 105329, 105651)
                             $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess -Wno-array-bounds -Wno-restrict
                             -Wno-stringop-overflow -Wno-stringop-overread>)

# unity_build(TARGET [SKIP FILE...]): compiles the target's files six at a time where FUSEKIT_UNITY is on: reading the
# precompiled header costs 3 s a compilation. Files whose anonymous namespaces share names with others are to be skipped.
function(unity_build target)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "" "SKIP")
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${FUSEKIT_UNITY} UNITY_BUILD_BATCH_SIZE 6)
  set_source_files_properties(${given_SKIP} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

if(FUSEKIT_ASAN)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
