# `cmake --install build/release --prefix DIR`: the program, the library, its headers, and the package that
# find_package(fusekit) finds.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/fusekit)

# The installed program finds LibTorch where it was built against it, or beside itself.
set_target_properties(fusekit PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};$<TARGET_FILE_DIR:c10>")

install(TARGETS fusekit RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS fusekit_core EXPORT fusekitTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS fusekit_vision fusekit_graph_fuser LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/fusekit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT fusekitTargets NAMESPACE fusekit:: DESTINATION ${package_folder})

# Completions and man pages.
set(words ${PROJECT_BINARY_DIR}/words)
install(CODE "set(program \"$<TARGET_FILE:fusekit>\")\nset(folder \"${words}\")")
install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/GenerateWords.cmake)
install(FILES ${words}/completions/fusekit DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${words}/completions/_fusekit DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${words}/completions/fusekit.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(DIRECTORY ${words}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/fusekitConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/fusekitConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fusekitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fusekitConfig.cmake ${PROJECT_BINARY_DIR}/fusekitConfigVersion.cmake
        DESTINATION ${package_folder})
