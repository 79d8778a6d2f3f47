from signal import NSIG as NSIG
from signal import SIG_DFL as SIG_DFL
from signal import getsignal as getsignal
from signal import set_wakeup_fd as set_wakeup_fd
from signal import signal as signal
from signal import valid_signals as valid_signals
