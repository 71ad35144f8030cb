# SPDX-License-Identifier: MIT
# The platform behind the sandbox's doors, and its tests.
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.35)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.13)

add_library(sb_platform STATIC
  platform.c subscriptions.c
  engine.c expand.c lookup.c collection.c jsonpath.c
  rest.c params.c inventory.c children.c identity.c documents.c measurement.c event.c alarm.c
  operation.c devices.c tenant.c
  push.c realtime.c bayeux.c binary.c upload.c multipart.c range.c
  store.c json.c datetime.c text.c)
target_compile_definitions(sb_platform PRIVATE SB_VERSION="${PROJECT_VERSION}")
target_link_libraries(sb_platform
  PRIVATE sr_flags
  PUBLIC smartrest_static PkgConfig::SQLITE PkgConfig::JANSSON Threads::Threads)

add_library(sb_fixture STATIC EXCLUDE_FROM_ALL fixture.c)
if(SR_TESTS)
  target_link_libraries(sb_fixture PRIVATE sr_flags PUBLIC sb_platform PkgConfig::CMOCKA)
endif()
sr_add_test(sandbox_values_test values_test.c LIBS sb_platform LABELS sandbox)
sr_add_test(sandbox_engine_test engine_test.c LIBS sb_fixture LABELS sandbox)
sr_add_test(sandbox_rest_test rest_test.c LIBS sb_fixture LABELS sandbox)
sr_add_test(sandbox_platform_test platform_test.c LIBS sb_fixture LABELS sandbox)
