# cmake -D OUTPUT=FILE.cpp -D HEADER=room/file.h -D NAMESPACE=a::b -D "TEXTS=name|FILE,..." -P Embed.cmake
# Writes a C++ file that defines each text as `const std::string_view name`, so that pages can be kept as what they are.
set(code "// Made by cmake/Embed.cmake.\n#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n")
string(REPLACE "," ";" TEXTS "${TEXTS}")
foreach(text IN LISTS TEXTS)
  string(REGEX MATCH "^([^|]+)\\|(.+)$" found "${text}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" content)
  string(APPEND code "\nconst std::string_view ${name} = R\"embedded(${content})embedded\";\n")
endforeach()
string(APPEND code "\n}  // namespace ${NAMESPACE}\n")
file(WRITE "${OUTPUT}" "${code}")
