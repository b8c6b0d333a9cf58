// Ends one reading of config.def.  (No include guard: it is included after each.)
#undef KQ_TIME
#undef KQ_INT
#undef KQ_BYTES
#undef KQ_FLAG
#undef KQ_TEXT
#undef KQ_LIST
#undef KQ_CHOICE
