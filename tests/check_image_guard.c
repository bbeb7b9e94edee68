#include "tests/check_main.h"
static Suite *make_suite(void){return suite_create("x");}
CHECK_MAIN(make_suite)
