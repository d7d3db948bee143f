# The compiler's settings for every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O1 -DNDEBUG")  # the time is spent in LibTorch's kernels; -O2 costs a fifth of the build's time

# GCC collects its garbage less often: a tenth of the build's time for 100 MB a process.
add_compile_options("$<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-expand=300;--param=ggc-min-heapsize=2000000>")

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

# unity_build(TARGET [SKIP FILE...]): where FUSEKIT_UNITY is on, the target's files are compiled many at a time: each
# compilation costs 4 s before its first line (GCC instantiates anew what the precompiled header leaves pending). A batch
# has files of one room, so that names have to differ (in anonymous namespaces too) only within a room; small rooms share
# one. Files that can't be compiled together with others are to be skipped.
function(unity_build target)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "" "SKIP")
  set_source_files_properties(${given_SKIP} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${FUSEKIT_UNITY} UNITY_BUILD_MODE GROUP)
  get_target_property(files ${target} SOURCES)
  set(rooms small_rooms)
  foreach(file IN LISTS files)
    get_filename_component(folder ${file} DIRECTORY)
    string(REPLACE ${PROJECT_SOURCE_DIR}/ "" room "${folder}")
    string(REGEX REPLACE "^(src|tests)/([^/]*).*" "\\2" room "${room}")
    list(APPEND rooms ${room})
    list(APPEND files_of_${room} ${file})
  endforeach()
  list(REMOVE_DUPLICATES rooms)
  list(REVERSE rooms)  # the small ones, which are told when the others have been seen, last
  foreach(room IN LISTS rooms)
    list(LENGTH files_of_${room} count)
    if(count LESS 8 AND NOT room STREQUAL small_rooms)
      list(APPEND files_of_small_rooms ${files_of_${room}})
      continue()
    endif()
    math(EXPR batches "(${count} + 27) / 28")
    foreach(file IN LISTS files_of_${room})
      math(EXPR batch "${count} % ${batches}")
      math(EXPR count "${count} + 1")
      set_source_files_properties(${file} PROPERTIES UNITY_GROUP ${room}_${batch})
    endforeach()
  endforeach()
endfunction()

if(FUSEKIT_ASAN)
  # -O1 and line numbers alone: full debug information of LibTorch's headers doubles the build's time and memory.
  # No vptr: it wants type information that LibTorch keeps to itself.
  add_compile_options(-O1 -g1 -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

if(FUSEKIT_TSAN)
  add_compile_options(-O1 -g1 -fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()
