import { config } from 'zod';

/** Must come before any schema is used: zod would try `new Function`, which the page's content security policy rightly reports. */
config({ jitless: true });
