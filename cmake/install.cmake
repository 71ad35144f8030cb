# SPDX-License-Identifier: MIT
# What `cmake --install` puts where: headers, both libraries, and how to find them by
# pkg-config (smartrest, smartrest-static, and with -lua) and by CMake
# (find_package(smartrest)).
# Everything is relative to the prefix, which can be chosen at installation.
include(CMakePackageConfigHelpers)

set(SR_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/smartrest)
set(SR_PC_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS smartrest_shared smartrest_static EXPORT smartrest
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
# A set of its own: whoever has no Lua need not look for it.
set(SR_PACKAGES smartrest smartrest-static)
if(SR_LUA)
  install(TARGETS smartrest_lua_shared smartrest_lua_static EXPORT smartrest-lua
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT smartrest-lua NAMESPACE smartrest:: DESTINATION ${SR_CMAKE_DIR}
    FILE smartrest-lua-targets.cmake)
  list(APPEND SR_PACKAGES smartrest-lua smartrest-lua-static)
endif()
if(NOT SR_LUA)
  set(SR_LEFT_OUT PATTERN "lua.h" EXCLUDE)
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/smartrest
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h" ${SR_LEFT_OUT})

install(EXPORT smartrest NAMESPACE smartrest:: DESTINATION ${SR_CMAKE_DIR}
  FILE smartrest-targets.cmake)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/smartrest-config.cmake.in
  ${PROJECT_BINARY_DIR}/smartrest-config.cmake INSTALL_DESTINATION ${SR_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/smartrest-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/smartrest-config.cmake
              ${PROJECT_BINARY_DIR}/smartrest-config-version.cmake
        DESTINATION ${SR_CMAKE_DIR})

if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(SR_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
  set(SR_PC_LIBDIR ${CMAKE_INSTALL_LIBDIR})
else()
  file(RELATIVE_PATH up ${CMAKE_INSTALL_PREFIX}/${SR_PC_DIR} ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" up ${up})
  set(SR_PC_PREFIX "\${pcfiledir}/${up}")
  set(SR_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(SR_PC_INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR})
else()
  set(SR_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
foreach(package ${SR_PACKAGES})
  configure_file(${PROJECT_SOURCE_DIR}/cmake/${package}.pc.in
                 ${PROJECT_BINARY_DIR}/${package}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${package}.pc DESTINATION ${SR_PC_DIR})
endforeach()
