#include "CLlamaChat.h"
